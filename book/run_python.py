"""Runs every Python block of the book and compares what it prints with the text block below it.

    pip install numpy==2.4.6 pandas==3.0.6 scikit-learn==1.9.1 scikit-image==0.26.0 umap-learn==0.5.12 shap==0.51.0
    python book/run_python.py            # compare
    python book/run_python.py --bless    # write

Each block is a program of its own and runs in the folder of the repository.
"""
import pathlib
import re
import subprocess
import sys

BOOK = pathlib.Path(__file__).resolve().parent
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def printed(code):
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=BOOK.parent, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{code}\n{run.stderr}")
    return run.stdout


def main():
    bless, wrong = "--bless" in sys.argv, 0
    for page in sorted(BOOK.glob("src/*.md")):
        text = page.read_text()
        again = BLOCK.sub(lambda m: f"```python\n{m[1]}```\n\n```text\n{printed(m[1])}```\n", text)
        if again != text and bless:
            page.write_text(again)
        elif again != text:
            wrong += 1
            print(f"{page.name}: a block prints something else")
    sys.exit(wrong > 0)


main()
