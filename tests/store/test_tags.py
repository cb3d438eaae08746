"""Which templates are filed under which tags."""

from opengage.ids import Id
from opengage.store import tags
from opengage.store.contract import Store
from store.samples import ACCOUNT, id_of

TEMPLATES: list[Id] = [id_of(1), id_of(2), id_of(3)]
TAGS: list[Id] = [id_of(11), id_of(12), id_of(13)]


async def test_added_removed_replaced(store: Store) -> None:
    """Each template has its own, in the order in which the tags were made; twice is once, and absent is absent."""
    async with store.writing() as tx:
        await tags.add(tx, ACCOUNT, TEMPLATES[0], [TAGS[2], TAGS[0], TAGS[2]])
        await tags.add(tx, ACCOUNT, TEMPLATES[1], TAGS)
        await tags.add(tx, 2, TEMPLATES[0], [TAGS[1]])
        await tags.remove(tx, ACCOUNT, TEMPLATES[1], [TAGS[1], id_of(99)])
        found = await tags.of_templates(tx, ACCOUNT, TEMPLATES)
        assert found == {
            TEMPLATES[0]: [TAGS[0], TAGS[2]],
            TEMPLATES[1]: [TAGS[0], TAGS[2]],
            TEMPLATES[2]: [],
        }
        await tags.replace(tx, ACCOUNT, TEMPLATES[1], [TAGS[1]])
        await tags.replace(tx, ACCOUNT, TEMPLATES[2], [])
        await tags.forget(tx, ACCOUNT, TAGS[0])
    async with store.reading() as tx:
        assert await tags.of_templates(tx, ACCOUNT, TEMPLATES) == {
            TEMPLATES[0]: [TAGS[2]],
            TEMPLATES[1]: [TAGS[1]],
            TEMPLATES[2]: [],
        }
        assert await tags.of_templates(tx, 2, TEMPLATES[:1]) == {TEMPLATES[0]: [TAGS[1]]}
        assert await tags.of_templates(tx, ACCOUNT, []) == {}


async def test_more_than_a_statement_holds(store: Store) -> None:
    """The tags of a thousand templates."""
    many = [id_of(1000 + place) for place in range(1_100)]
    async with store.writing() as tx:
        for id_ in many:
            await tags.add(tx, ACCOUNT, id_, [TAGS[0]])
        assert await tags.of_templates(tx, ACCOUNT, many) == {id_: [TAGS[0]] for id_ in many}
