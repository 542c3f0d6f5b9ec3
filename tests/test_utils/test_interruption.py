"""Signals stop the work after a complete step."""
import os
import signal
import threading

import pytest

from mmseam.utils.interruption import Interrupted, exit_interrupted, stop_request


@pytest.mark.parametrize('number,code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_at_the_next_check(capsys, number, code):
    done = []
    with pytest.raises(Interrupted) as interrupted, stop_request() as stop:
        for step in range(5):
            if step == 2:
                os.kill(os.getpid(), number)
            done.append(step)
            stop.check(f'{step + 1} steps are done')
    assert done == [0, 1, 2]
    with pytest.raises(SystemExit) as ended:
        exit_interrupted(interrupted.value, ['a.json', 'b.csv'])
    assert ended.value.code == code
    name = signal.Signals(number).name
    assert capsys.readouterr().err == f'interrupted by {name}; 3 steps are done; kept: a.json, b.csv\n'


def test_a_second_ctrl_c_stops_at_once_but_a_repeated_sigterm_does_not():
    with pytest.raises(KeyboardInterrupt) as stopped, stop_request() as stop:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
    assert not isinstance(stopped.value, Interrupted) and stop.number == signal.SIGTERM


def test_handlers_are_restored_and_ignored_signals_stay_ignored():
    earlier = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stop_request() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            stop.check()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, earlier)


def test_other_threads_work_undisturbed():
    checked = []

    def work():
        with stop_request() as stop:
            stop.check()
            checked.append(stop.number)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert checked == [None]
