"""Whose token goes with a request, and that nobody's take is ever sent as somebody else."""

import threading
from queue import SimpleQueue

import httpx
import pytest

from cadenza_client import errors as e
from cadenza_uploader._credentials import Credential, CredentialStore
from cadenza_uploader._hand import Hand, collect
from cadenza_uploader._home import Home
from cadenza_uploader._queue import TakeQueue
from cadenza_uploader._session import StoredToken, acting_for, connect, current_account
from cadenza_uploader._settings import Settings
from cadenza_uploader._settlement import Carried
from cadenza_uploader.errors import CredentialsError
from cadenza_uploader.take import Account, Take
from tests.uploader.world import NOON, URL, add_take, claimed

ADA = Credential(URL, 7, "ada@example.org", "Ada", "student", "token-of-ada")
EVE = Credential(URL, 9, "eve@example.org", "Eve", "student", "token-of-eve")


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings.load({}, home=home.path, url=URL, timings="fast")


@pytest.fixture
def store(home: Home) -> CredentialStore:
    return CredentialStore(home)


@pytest.fixture
def token(settings: Settings, store: CredentialStore) -> StoredToken:
    return StoredToken(settings, store)


def again(credential: Credential, token: str) -> Credential:
    return Credential(
        credential.server_url, credential.user_id, credential.email, credential.full_name,
        credential.user_type, token,
    )  # fmt: skip


# ── the token source ───────────────────────────────────────────────────────────────────────────


def test_nobody_is_signed_in(token: StoredToken) -> None:
    assert token.token() is None
    assert not token.refresh()


def test_a_sign_in_is_found_without_a_restart(token: StoredToken, store: CredentialStore) -> None:
    assert token.token() is None
    store.save(ADA)
    assert token.token() == "token-of-ada"
    store.forget(URL)
    assert token.token() is None


def test_after_a_401_only_another_token_is_worth_a_second_try(
    token: StoredToken, store: CredentialStore
) -> None:
    store.save(ADA)
    assert token.token() == "token-of-ada"
    assert not token.refresh()
    store.save(again(ADA, "fresh"))
    assert token.refresh()
    assert token.token() == "fresh"
    store.forget(URL)
    assert not token.refresh()


def test_a_token_given_by_hand_is_the_only_one(home: Home, store: CredentialStore) -> None:
    store.save(ADA)
    given = StoredToken(Settings.load({"CADENZA_TOKEN": "by-hand"}, home=home.path), store)
    assert given.token() == "by-hand"
    assert not given.refresh()  # there is no second one: asking again is in vain
    with acting_for(9):
        assert given.token() == "by-hand"


def test_the_token_is_in_no_repr(token: StoredToken, store: CredentialStore) -> None:
    store.save(ADA)
    token.token()
    assert "token-of-ada" not in repr(token)


# ── nobody else's (A05, A06) ───────────────────────────────────────────────────────────────────


def test_a_thread_that_sends_for_one_account_gets_no_other_token(
    token: StoredToken, store: CredentialStore
) -> None:
    store.save(ADA)
    with acting_for(7):
        assert token.token() == "token-of-ada"
        store.save(EVE)
        assert token.token() is None
        assert not token.refresh()
        with acting_for(9):
            assert token.token() == "token-of-eve"
        assert token.token() is None
    assert token.token() == "token-of-eve"


def test_two_lanes_do_not_share_whom_they_act_for(
    token: StoredToken, store: CredentialStore
) -> None:
    store.save(ADA)
    got: dict[int, str | None] = {}
    meet = threading.Barrier(2, timeout=30)

    def lane(user_id: int) -> None:
        with acting_for(user_id):
            meet.wait()
            got[user_id] = token.token()

    threads = [threading.Thread(target=lane, args=(user_id,)) for user_id in (7, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {7: "token-of-ada", 9: None}


def test_a_take_under_way_is_not_sent_on_as_whoever_signs_in_meanwhile(
    queue: TakeQueue, settings: Settings, store: CredentialStore
) -> None:
    store.save(ADA)
    add_take(queue)
    sent: list[str | None] = []

    def server(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Authorization"))
        if sent[-1] is None:
            return httpx.Response(401, json={"detail": "no", "code": "unauthorized"})
        store.save(EVE)  # a sibling signs in while the first request is on its way
        return httpx.Response(503, json={"detail": "busy", "code": "internal"})

    client = connect(settings, store, transport=httpx.MockTransport(server))

    def carry(take: Take) -> Carried:
        for _ in range(2):
            with pytest.raises(e.APIError):
                client.submissions.get(take.id)
        return Carried("released")

    done: SimpleQueue[Hand] = SimpleQueue()
    hand = Hand(claimed(queue), carry, done, began=NOON)
    assert collect(done, seconds=30) is hand
    assert hand.error is None
    client.close()
    assert sent[0] == "Bearer token-of-ada"
    assert set(sent[1:]) == {None}


def test_a_store_that_cannot_be_used_is_told_to_people_and_stops_no_worker(
    home: Home, token: StoredToken, store: CredentialStore
) -> None:
    store.save(ADA)
    home.credentials.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 600"):
        token.token()
    with acting_for(7):
        assert token.token() is None  # the 401 puts the take back, and it is no crash of ours
        assert not token.refresh()


# ── account and client ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("saved", "hand", "account"),
    [
        (None, None, Account(URL, None)),
        (ADA, None, Account(URL, 7)),
        (ADA, "by-hand", Account(URL, None)),
    ],
)
def test_the_current_account_is_whoever_the_token_belongs_to(
    home: Home, store: CredentialStore, saved: Credential | None, hand: str | None, account: Account
) -> None:
    if saved is not None:
        store.save(saved)
    settings = Settings.load({}, home=home.path, url=f"{URL}/", token=hand)
    assert current_account(settings, store) == account


def test_another_address_is_another_account(home: Home, store: CredentialStore) -> None:
    store.save(ADA)
    elsewhere = Settings.load({}, home=home.path, url="http://127.0.0.1:9999")
    assert current_account(elsewhere, store) == Account("http://127.0.0.1:9999", None)


def test_the_client_speaks_for_the_stored_sign_in_with_our_timings(
    settings: Settings, store: CredentialStore
) -> None:
    store.save(ADA)
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "no"})

    with (
        connect(settings, store, transport=httpx.MockTransport(server)) as client,
        pytest.raises(e.ServerError),
    ):
        client.submissions.get("0b1a2c3d-0000-4000-8000-000000000001")
    assert len(seen) == settings.durations.quick_tries
    assert seen[0].headers["Authorization"] == "Bearer token-of-ada"
    timeout = seen[0].extensions["timeout"]
    assert timeout["connect"] == settings.durations.connect_seconds
