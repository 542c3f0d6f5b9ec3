"""Colors, lines and files of all plots."""
from pathlib import Path
from typing import Union

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmseam.utils.atomic_write import atomic_files

#: Okabe and Ito, "Color Universal Design": distinguishable with all common types of color vision, also in print.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#999999')
LINE_STYLES = ('-', '--', '-.', ':')
_DPI = 300


def save_figure(figure: Figure, path: Union[str, Path]) -> None:
    """Write a figure to an image file.

    Args:
        figure (Figure): The figure.
        path (str or Path): The file; its suffix determines the format.
    """
    FigureCanvasAgg(figure)
    with atomic_files(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
