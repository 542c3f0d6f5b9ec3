"""What the quiet console leaves to the log file."""
import warnings

from mmengine.logging import MMLogger

from mmseam.engine.runners import QuietConsole


class Console(QuietConsole):
    hooks = ()

    def __init__(self, log_file):
        self.logger = MMLogger(log_file.stem, log_file=str(log_file))
        self.logger.handlers = self.logger.handlers[1:]


def test_warnings_of_packages_go_to_the_log_file(tmp_path, capfd):
    console = Console(tmp_path / 'quiet.log')
    shown = warnings.showwarning
    with console._quiet():
        warnings.warn('pin_memory has no effect', UserWarning, stacklevel=1)
    assert capfd.readouterr() == ('', '') and warnings.showwarning is shown
    assert 'UserWarning: pin_memory has no effect' in (tmp_path / 'quiet.log').read_text()
