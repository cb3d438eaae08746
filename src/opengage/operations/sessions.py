"""Bearer tokens: sessions opened with an API token or a password, renewed, ended, and asked with every request.

Step 3 of a text's path, before any other intent (wire contract 8; RFC 6749, 7009). A session has a secret that only its
tokens carry; its id in the database is a hash of that. Every request reads the session, its member, its account and its
API token in one statement, so that whatever ends one of them ends the token on the next request.
"""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from opengage.clock import SECOND, Clock, Instant
from opengage.domain.errors import Code, Forbidden, Invalid, Problem, Unauthorized
from opengage.domain.records import Membership, Session
from opengage.ids import Id, NewId, to_wire
from opengage.operations import fields, passwords
from opengage.operations.actors import OWNER, Actor
from opengage.operations.credentials import REFUSED, holder_of
from opengage.operations.passwords import Passwords
from opengage.operations.reading import load
from opengage.operations.signing import Claims, Signed, SigningKeys, sign
from opengage.store import rows, sessions
from opengage.store.contract import Store, Transaction, Violation
from opengage.store.sessions import Held, Login

ACCESS, REFRESH = "access", "refresh"
_SECRET_BYTES: Final = 24
_GRACE: Final = 60 * SECOND
"""In this time a refresh token may be used again: the answer to its first use may have been lost."""
_EMAIL: Final = "/data/attributes/email"
_MOST_LOGINS: Final = 8
"""Memberships that one password is tried on; who has more names the account."""


class Refused(Exception):
    """The grant is not good; which part of it is not told."""


class Lifetimes(msgspec.Struct, frozen=True):
    """How long tokens live, in microseconds."""

    access: int
    refresh: int


class Issued(msgspec.Struct, frozen=True):
    """What a client gets; lifetimes in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


class _Place(msgspec.Struct, frozen=True):
    """Where a session reaches: a member of an account."""

    account_id: int
    account_key: str
    membership_id: Id


class Sessions:
    """Opens, renews, ends and knows sessions."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId, lifetimes: Lifetimes, issuer: str) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._lifetimes = lifetimes
        self._issuer = issuer
        self._keys = SigningKeys()
        self._passwords = Passwords()

    async def by_token(self, key: str, secret: str, account_key: str | None = None) -> Issued:
        """Open a session with an API token; it ends with that token. Raises Refused."""
        try:
            found = await holder_of(self._store, self._clock, key, secret, account_key)
        except Unauthorized as error:
            raise Refused from error
        place = _Place(found.account_id, found.account_key, found.membership_id)
        async with self._store.writing() as tx:
            return await self._open(tx, [place], found.token_id)

    async def by_password(self, email: str, password: str, account_key: str | None = None) -> Issued:
        """Open a session with an e-mail address and a password, in every account where they fit. Raises Refused."""
        while True:
            mine = await self._fitting(email, password, account_key)
            renewed = await self._renewed(password, mine)
            places = [_Place(each.account_id, each.account_key, each.membership_id) for each in mine]
            async with self._store.writing() as tx:
                if all([await _still_holds(tx, login, fresh) for login, fresh in renewed]):
                    return await self._open(tx, places)
            # a password was changed since it was tried: whether this one still fits is seen from the start

    async def refresh(self, token: str) -> Issued:
        """New tokens for a refresh token, which is spent by that.

        One that was spent before is a sign that somebody else has it: that ends the session. Raises Refused.
        """
        signed = await self._read(token, REFRESH)
        id_, now = _id_of(signed.claims.sid), self._clock.now()
        async with self._store.writing() as tx:
            found = await self._held(tx, signed, id_)
            good = [each for each in found if each.is_good(now)]
            if good and not any(_is_spent(each, signed.claims, now) for each in good):
                return await self._renew(tx, signed.claims.sid, good)
            for key in signed.claims.accounts:
                await sessions.end(tx, key, id_, now)
        raise Refused

    async def revoke(self, token: str) -> None:
        """End the session of an access or refresh token; a token that is unknown is ended already (RFC 7009, 2.2)."""
        try:
            signed = await self._keys.read(self._store, token)
        except Unauthorized:
            return
        async with self._store.writing() as tx:
            for key in signed.claims.accounts:
                await sessions.end(tx, key, _id_of(signed.claims.sid), self._clock.now())

    async def authenticate(self, token: str, account_key: str | None) -> Actor:
        """The actor of an access token; one that reaches several accounts needs the key of one of them.

        Raises Unauthorized, always with the same words.
        """
        try:
            signed = await self._read(token, ACCESS)
        except Refused as error:
            raise Unauthorized(REFUSED) from error
        accounts = signed.claims.accounts
        key = account_key or (accounts[0] if len(accounts) == 1 else None)
        if key not in accounts:
            raise Unauthorized(REFUSED)
        id_ = _id_of(signed.claims.sid)
        async with self._store.reading() as tx:
            found = await sessions.held(tx, key, id_, signed.key_id)
        if found is None or not found.is_good(self._clock.now()):
            raise Unauthorized(REFUSED)
        return Actor(found.account_id, found.account_key, found.membership_id, found.role, id_)

    async def let_log_in(self, actor: Actor, membership_id: Id | None, email: str, password: str) -> None:
        """Let a member log in with these; every session of that member ends. Raises NotFound, Invalid, Forbidden."""
        if actor.role != OWNER:
            raise Forbidden(f"The role “{actor.role}” may not do this: it takes an owner. Ask one of the account.")
        problems: list[Problem] = []
        address = passwords.email_of(email, problems, _EMAIL)
        passwords.check(password, problems, "/data/attributes/password")
        fields.refuse(problems)
        hashed, now = await self._passwords.hash(password), self._clock.now()
        try:
            async with self._store.writing() as tx:
                member = await load(tx, actor, Membership, membership_id, "membership")
                await rows.change(tx, member, email=address, password_hash=hashed, updated_at=now)
                await sessions.end_all(tx, actor.account_id, member.id, now)
        except Violation as error:
            detail = "Another member of the account logs in with this address. Use another one."
            raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, _EMAIL)]) from error

    async def _read(self, token: str, use: str) -> Signed:
        try:
            signed = await self._keys.read(self._store, token)
        except Unauthorized as error:
            raise Refused from error
        if signed.claims.use != use or signed.claims.exp * SECOND <= self._clock.now():
            raise Refused
        return signed

    async def _held(self, tx: Transaction, signed: Signed, id_: Id) -> list[Held]:
        found = [await sessions.held_for_renewal(tx, key, id_, signed.key_id) for key in signed.claims.accounts]
        return [each for each in found if each is not None]

    async def _fitting(self, email: str, password: str, account_key: str | None) -> list[Login]:
        """The memberships that these log in. Raises Refused when there are none."""
        async with self._store.reading() as tx:
            known = await sessions.logins(tx, passwords.email_of(email, []))
        some = [each for each in known if account_key in (None, "", each.account_key)][:_MOST_LOGINS]
        fits = await self._passwords.matching(password, [each.password_hash for each in some])
        mine = [login for login, fit in zip(some, fits, strict=True) if fit]
        if not mine:
            raise Refused
        return mine

    async def _renewed(self, password: str, logins: Sequence[Login]) -> list[tuple[Login, str | None]]:
        """Each with a hash of today's strength if its own was made with another."""
        return [
            (each, await self._passwords.hash(password) if passwords.is_outdated(each.password_hash) else None)
            for each in logins
        ]

    async def _open(self, tx: Transaction, places: Sequence[_Place], api_token_id: Id | None = None) -> Issued:
        sid, now = secrets.token_urlsafe(_SECRET_BYTES), self._clock.now()
        until = Instant(now + self._lifetimes.refresh)
        for place in places:
            await sessions.purge(tx, place.account_id, now)
            await rows.insert(
                tx,
                Session(
                    account_id=place.account_id,
                    id=_id_of(sid),
                    created_at=now,
                    updated_at=now,
                    membership_id=place.membership_id,
                    api_token_id=api_token_id,
                    expires_at=until,
                ),
            )
        return await self._issue(tx, sid, 0, places)

    async def _renew(self, tx: Transaction, sid: str, held: Sequence[Held]) -> Issued:
        now, fresh = self._clock.now(), max(each.generation for each in held) + 1
        until = Instant(now + self._lifetimes.refresh)
        for each in held:
            if not await sessions.renew(tx, each.account_id, _id_of(sid), each.generation, fresh, until, now):
                raise Refused
        return await self._issue(
            tx, sid, fresh, [_Place(each.account_id, each.account_key, each.membership_id) for each in held]
        )

    async def _issue(self, tx: Transaction, sid: str, generation: int, places: Sequence[_Place]) -> Issued:
        now = self._clock.now()
        key = await self._keys.current(tx, self._new_id, now, self._lifetimes.refresh)
        access = Claims(
            iss=self._issuer,
            sub=to_wire(places[0].membership_id),
            sid=sid,
            use=ACCESS,
            gen=generation,
            accounts=[place.account_key for place in places],
            iat=now // SECOND,
            exp=(now + self._lifetimes.access) // SECOND,
        )
        refresh = msgspec.structs.replace(access, use=REFRESH, exp=(now + self._lifetimes.refresh) // SECOND)
        return Issued(sign(key, access), sign(key, refresh), self._lifetimes.access // SECOND)


def _id_of(sid: str) -> Id:
    """A session's id in the database."""
    return Id(hashlib.sha256(sid.encode(errors="replace")).digest()[:16])


def _is_spent(held: Held, claims: Claims, now: Instant) -> bool:
    """Whether a refresh token was used before; just now does not count, for its answer may have been lost."""
    if claims.gen == held.generation:
        return False
    return claims.gen != held.generation - 1 or held.updated_at <= now - _GRACE


async def _still_holds(tx: Transaction, login: Login, fresh: str | None) -> bool:
    """Whether the password that was tried is still the member's; it stays so until the transaction ends.

    A `fresh` hash of it replaces the one that was tried.
    """
    held = await rows.hold(tx, Membership, login.account_id, [login.membership_id], shared=fresh is None)
    member = held.get(login.membership_id)
    if member is None or member.password_hash != login.password_hash:
        return False
    if fresh is not None:
        await rows.change(tx, member, password_hash=fresh)
    return True
