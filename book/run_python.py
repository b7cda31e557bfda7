"""Runs every Python block of the book and compares what it prints with the text block below it.

    pip install numpy==2.4.6 pandas==3.0.6 scikit-learn==1.9.1 scikit-image==0.26.0 umap-learn==0.5.12 shap==0.51.0
    python book/run_python.py [PAGE...]            # compare
    python book/run_python.py --bless [PAGE...]    # write

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
    bless = "--bless" in sys.argv
    named = [word for word in sys.argv[1:] if word != "--bless"]
    wrong = []
    for page in sorted(BOOK.glob("src/*.md")):
        if named and page.stem not in named:
            continue
        outputs = {code: printed(code) for code, _ in BLOCK.findall(page.read_text())}
        text = page.read_text()  # again: a slow block leaves time for an edit
        again = BLOCK.sub(lambda m: f"```python\n{m[1]}```\n\n```text\n{outputs.get(m[1], m[2] or '')}```\n", text)
        if again != text:
            wrong.append(page.name)
            if bless:
                page.write_text(again)
    if wrong:
        print("rewritten:" if bless else "a block prints something else:", ", ".join(wrong))
    sys.exit(bool(wrong) and not bless)


main()
