"""ComfyUI-EditedID: gives the person back in their own edited portrait and keeps the edit."""

from comfy_api.latest import ComfyExtension, io

WEB_DIRECTORY = "./web"


class EditedIDExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .nodes import ALL_NODES

        return ALL_NODES


async def comfy_entrypoint() -> EditedIDExtension:
    return EditedIDExtension()
