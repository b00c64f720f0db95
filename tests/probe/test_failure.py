from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest
import trio

from probe.failure import NETWORK_ERRORS, Failure, NetworkFailure, classify

KNOWN = {
    errno.ECONNREFUSED: "connection_refused",
    errno.ECONNRESET: "connection_reset",
    errno.EPIPE: "connection_reset",
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ENETUNREACH: "network_unreachable",
    errno.ETIMEDOUT: "timed_out",
    errno.EACCES: "permission_denied",
}


def os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def chained(outer: BaseException, cause: BaseException) -> BaseException:
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(("code", "name"), KNOWN.items())
def test_the_number_of_the_system_decides(code: int, name: str) -> None:
    assert name == classify(os_error(code))


def test_reset_end_of_file_and_silence_do_not_share_a_name() -> None:
    names = {
        classify(os_error(errno.ECONNRESET)),
        classify(ssl.SSLEOFError()),
        classify(trio.TooSlowError()),
        classify(os_error(errno.ECONNREFUSED)),
        classify(os_error(errno.ETIMEDOUT)),
    }
    assert 5 == len(names)


def test_the_reset_behind_a_broken_stream_is_found() -> None:
    exc = chained(trio.BrokenResourceError("broken"), os_error(errno.ECONNRESET))
    assert Failure.CONNECTION_RESET == classify(exc)


def test_the_refusal_in_a_group_under_a_context_is_found() -> None:
    try:
        try:
            raise ExceptionGroup("all attempts", [os_error(errno.ECONNREFUSED)])
        except ExceptionGroup:
            raise OSError("could not connect")  # noqa: B904 - the context is the point
    except OSError as exc:
        assert Failure.CONNECTION_REFUSED == classify(exc)


@pytest.mark.parametrize(
    ("exc", "name"),
    [
        (trio.TooSlowError(), Failure.TIMEOUT),
        (os_error(errno.ECONNRESET), Failure.CONNECTION_RESET),
        (trio.BrokenResourceError("closed"), Failure.UNKNOWN),
    ],
)
def test_what_was_handled_meanwhile_is_not_the_failure(exc: Exception, name: Failure) -> None:
    exc.__context__ = ssl.SSLWantReadError(2, "more")
    assert name == classify(exc)
    assert name == classify(chained(trio.BrokenResourceError("broken"), exc))


def test_a_suppressed_context_does_not_count() -> None:
    try:
        try:
            raise os_error(errno.ECONNRESET)
        except OSError:
            raise OSError("other") from None
    except OSError as exc:
        assert Failure.UNKNOWN == classify(exc)


def test_what_a_step_says_outweighs_the_library_behind_it() -> None:
    exc = chained(NetworkFailure(Failure.UNKNOWN, "bad framing"), ssl.SSLError(1, "x"))
    assert Failure.UNKNOWN == classify(exc)


def test_a_loop_of_causes_ends() -> None:
    exc = os_error(errno.ECONNRESET)
    exc.__cause__ = OSError("again")
    exc.__cause__.__cause__ = exc
    assert Failure.CONNECTION_RESET == classify(exc)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (socket.EAI_NONAME, "dns_nxdomain_error"),
        (socket.EAI_NODATA, "dns_no_answer"),
        (socket.EAI_AGAIN, "dns_temporary_failure"),
        (socket.EAI_FAIL, "dns_non_recoverable_failure"),
        (socket.EAI_MEMORY, "dns_server_misbehaving"),
    ],
)
def test_the_systems_resolver_has_its_own_names(code: int, name: str) -> None:
    assert name == classify(socket.gaierror(code, "text"))


@pytest.mark.parametrize("exc", [TypeError(), KeyError(), ValueError(), AttributeError()])
def test_a_bug_is_no_network_error(exc: Exception) -> None:
    assert not isinstance(exc, NETWORK_ERRORS)
    assert Failure.UNKNOWN == classify(exc)
