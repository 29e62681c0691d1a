"""``python -m lab.bench NAME …``: NAME is a module of this package with a ``main(arguments)``."""
from __future__ import annotations

import importlib
import sys
from pathlib import Path

BENCHES = ("quality", "photos", "ablation", "knobs", "speed", "memory", "soak", "gpu", "probe", "robustness",
           "null_text", "profiles", "worth", "smile", "who", "people", "templates", "around")


def main() -> None:
    here = Path(__file__).resolve().parent
    offered = [name for name in BENCHES if (here / f"{name}.py").is_file()]
    if len(sys.argv) < 2 or sys.argv[1] not in offered:
        sys.exit(f"Say which benchmark to run: python -m lab.bench {' | '.join(offered)}")
    importlib.import_module(f"{__package__}.{sys.argv[1]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
