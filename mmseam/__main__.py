"""``python -m mmseam``: the same as the command ``mmseam``."""
from mmseam.cli import main

if __name__ == '__main__':
    main()
