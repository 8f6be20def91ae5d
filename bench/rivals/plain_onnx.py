"""`python -m bench.rivals.plain_onnx CHECKPOINT FOLDER`: the graph as exported, before anything is fused.

That is what other runtimes want to see.
"""

import sys

from optimum.exporters.onnx import main_export


def main() -> None:
    checkpoint, folder = sys.argv[1:]
    main_export(checkpoint, folder, task="text-classification", do_validation=False, no_post_process=True)


if __name__ == "__main__":
    main()
