"""Prompt Words: a prompt with chosen words for the paper's cross-attention replacement."""

from typing import Any

from comfy_api.latest import io

from ..editedid_core.comfy.prompt_tokens import encode_with_words
from .given import checked

CATEGORY = "image/identity restoration"


class PromptWords(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EditedIDPromptWords",
            display_name="Prompt Words",
            category=CATEGORY,
            description="Encodes a prompt and marks chosen words in it. In the paper modes of the Adaptive Mixing "
            "Sampler and Restore Identity the attention maps of these words come from the original or the edit.",
            search_aliases=["cross attention words", "prompt to prompt", "token", "CLIP text encode"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder that belongs to the model."),
                io.String.Input("text", default="a photo of a face", multiline=True, dynamic_prompts=True,
                                tooltip="The prompt for original, edit and result. Name the face and the things that "
                                "the edit added."),
                io.String.Input("face_words", default="face", tooltip="Words of the prompt whose attention maps come "
                                "from the original, separated by commas."),
                io.String.Input("element_words", default="", tooltip="Words of the prompt whose attention maps come "
                                "from the edited picture, such as 'glasses, hat'."),
            ],
            outputs=[io.Conditioning.Output(display_name="positive", tooltip="Connect it to positive of the Adaptive "
                                            "Mixing Sampler or Restore Identity.")],
        )

    @classmethod
    @checked
    def execute(cls, clip: Any, text: str, face_words: str, element_words: str) -> io.NodeOutput:
        return io.NodeOutput(encode_with_words(clip, text, face_words, element_words))


NODES = [PromptWords]
