"""ComfyUI-EditedID: gives the person back in their own edited portrait and keeps the edit."""

from pathlib import Path

from comfy_api.latest import ComfyExtension, io

WEB_DIRECTORY = "./web"


class EditedIDExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .editedid_core.comfy.installs import tell_of_another
        from .nodes import ALL_NODES

        tell_of_another("EditedIDRestoreIdentity", Path(__file__).parent.name)
        return ALL_NODES


async def comfy_entrypoint() -> EditedIDExtension:
    return EditedIDExtension()
