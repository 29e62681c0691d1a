"""Hook keyframes of other packs (LoRA strengths along the run) while a run takes the noise up as well as down."""

from __future__ import annotations

from typing import Any


class HookKeyframes:
    """Keeps hooks on the prompt at the keyframe of the current noise level.

    The host only ever looks for a later keyframe. On the way up it would jump to the last one and stay there, so
    there each evaluation looks from the start, and the way down begins from the start as well. The hooks belong to the
    prompt, which other samplers share: use this as a context manager, and they leave it as they came.
    """

    def __init__(self, guider: Any) -> None:
        hooks = {id(hook): hook for prompts in guider.conds.values() for prompt in prompts or ()
                 if prompt.get("hooks") is not None for hook in prompt["hooks"].hooks}
        self._patcher = guider.model_patcher
        self._scheduled = [(h, h.hook_keyframe) for h in hooks.values() if len(h.hook_keyframe.keyframes) > 1]
        self._upward = False

    def __enter__(self) -> HookKeyframes:
        return self

    def __exit__(self, *error: object) -> None:
        if not self._scheduled:
            return
        for hook, keyframes in self._scheduled:
            hook.hook_keyframe = keyframes
        self._patcher.clear_cached_hook_weights()

    def before(self, upward: bool) -> None:
        """Call before each evaluation; `upward`: the next one is higher in noise than this."""
        if not self._scheduled or not (upward or self._upward):
            return
        for hook, keyframes in self._scheduled:
            hook.hook_keyframe = keyframes.clone()
            if upward:
                for keyframe in hook.hook_keyframe.keyframes:
                    keyframe.guarantee_steps = 0  # else the search would stop at the second keyframe
        self._patcher.clear_cached_hook_weights()
        self._upward = upward
