"""Which templates are filed under which tags."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from opengage.ids import Id
from opengage.store import tables
from opengage.store.contract import Transaction

_links: Final = tables.text_template_tags.c
_MANY: Final = 512

# both databases spell it like this
_ADD: Final = sa.text(
    "INSERT INTO text_template_tags (account_id, text_template_id, tag_id)"
    " VALUES (:account_id, :text_template_id, :tag_id) ON CONFLICT DO NOTHING"
)
_ACCOUNT: Final[sa.ColumnElement[bool]] = _links.account_id == sa.bindparam("key_account_id")
_OF_TAG: Final = sa.delete(tables.text_template_tags).where(_ACCOUNT, _links.tag_id == sa.bindparam("key_tag_id"))
_OF_TEMPLATE: Final = sa.delete(tables.text_template_tags).where(
    _ACCOUNT, _links.text_template_id == sa.bindparam("key_template_id")
)
_ONE: Final = _OF_TEMPLATE.where(_links.tag_id == sa.bindparam("key_tag_id"))


@cache
def _select(count: int) -> sa.Select[Any]:
    wanted: list[sa.BindParameter[Any]] = [sa.bindparam(f"id_{place}") for place in range(count)]
    return (
        sa.select(_links.text_template_id, _links.tag_id)
        .where(_links.account_id == sa.bindparam("account_id"), _links.text_template_id.in_(wanted))
        .order_by(_links.text_template_id, _links.tag_id)
    )


async def of_templates(tx: Transaction, account_id: int, template_ids: Sequence[Id]) -> dict[Id, list[Id]]:
    """The tags of each of these templates, oldest tag first."""
    found: dict[Id, list[Id]] = {id_: [] for id_ in template_ids}
    wanted = list(found)
    for start in range(0, len(wanted), _MANY):
        some = wanted[start : start + _MANY]
        # padded to a power of two, so that only a few statements are ever compiled
        some += some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))
        named = {f"id_{place}": id_ for place, id_ in enumerate(some)}
        for template_id, tag_id in await tx.rows(_select(len(some)), account_id=account_id, **named):
            found[template_id].append(tag_id)
    return found


async def add(tx: Transaction, account_id: int, template_id: Id, tag_ids: Sequence[Id]) -> None:
    """File a template under these tags; one that it has already stays."""
    for tag_id in tag_ids:
        await tx.run(_ADD, account_id=account_id, text_template_id=template_id, tag_id=tag_id)


async def remove(tx: Transaction, account_id: int, template_id: Id, tag_ids: Sequence[Id]) -> None:
    """Take a template out of these tags; one that it has not is no matter."""
    for tag_id in tag_ids:
        await tx.run(_ONE, key_account_id=account_id, key_template_id=template_id, key_tag_id=tag_id)


async def replace(tx: Transaction, account_id: int, template_id: Id, tag_ids: Sequence[Id]) -> None:
    """These tags, and no others."""
    await tx.run(_OF_TEMPLATE, key_account_id=account_id, key_template_id=template_id)
    await add(tx, account_id, template_id, tag_ids)


async def forget(tx: Transaction, account_id: int, tag_id: Id) -> None:
    """Take every template out of a tag."""
    await tx.run(_OF_TAG, key_account_id=account_id, key_tag_id=tag_id)
