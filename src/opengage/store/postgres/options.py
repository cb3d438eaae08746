"""How to reach a PostgreSQL server, and what connections and transactions on it begin with."""

from typing import Any, Final

import msgspec

CHANNEL: Final = "opengage"
"""Where commits are told: NOTIFY and LISTEN."""

CONNECT_TIMEOUT: Final = 10.0
_STATEMENTS: Final = 512
"""Prepared statements that a connection keeps: more than there are."""

MILLISECONDS: Final = 1000
LOCK_TIMEOUT: Final = 15.0
"""Seconds to wait for another transaction's row."""
_IDLE_TIMEOUT: Final = 10.0
"""Seconds that a transaction may stand still: a stopped process must not keep what others wait for."""

# Statistics lag behind a blast: of a table that was empty a minute ago the planner thinks that walking through it is
# cheap, and a plan that was made then would be kept. So plans are held to the indexes, of which each statement has its
# own, and are made anew, by the tables' size at the moment. (JIT would be set off by the penalties for the rest.)
# Of two indexes that seem to lead to a single row, the one that is a level deeper must not lose for that: it may be the
# one in whose order the rows are wanted, and there may be a million of them.
_PLANS: Final = {
    "cpu_operator_cost": "0.0001",
    **dict.fromkeys(("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"), "off"),
}
# A stronger promise of the server's own stays; a weaker one does not. It is made with each change, so that neither a
# pooler that nobody told us of nor a change of the server's own setting comes in between.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true);"
)


# What a change looks up is found by its whole key, whatever there is. There an index must not lose for being large: a
# roomy one (see tables.columns) has more pages than another that seems to do. Whoever reads much counts pages as usual.
_LOOKED_UP: Final = "SET LOCAL random_page_cost = 0.3;"

# Planning each statement anew is a tenth of the server's work in a blast, and those of its batches have one plan each,
# whatever the values and statistics: the tests see to that. So the hot path keeps its plans for some seconds, and so do
# those who look something up by keys. For everybody else it is what they ask that decides which index is best.
_KEPT: Final = "SET plan_cache_mode = force_generic_plan;"
_ANEW: Final = "SET LOCAL plan_cache_mode = force_custom_plan;"
FORGOTTEN: Final = "DISCARD PLANS;"
"""What makes a connection plan everything anew."""


class PostgresOptions(msgspec.Struct, frozen=True):
    """What the operator may say about the database."""

    url: str
    """postgresql://USER:PASSWORD@HOST:PORT/DATABASE; never shown."""
    pool_size: int = 10
    """Connections of one process, at most."""
    statement_timeout: float = 60.0
    """Seconds that one statement may take."""
    is_pooled: bool = False
    """A pooler in transaction mode stands between: no LISTEN, no prepared statements, nothing kept by a session."""

    @property
    def begin_writing(self) -> str:
        """The beginning of a change. READ COMMITTED: what is decided on is locked, or guarded by WHERE."""
        return f"{self.begin_hot}{_ANEW}"

    @property
    def begin_hot(self) -> str:
        """The same for what is changed many times a second. Behind a pooler no plan can be kept."""
        settings = self._settings(word="SET LOCAL") if self.is_pooled else ""
        return f"BEGIN ISOLATION LEVEL READ COMMITTED;{_DURABLE}{_LOOKED_UP}{settings}"

    @property
    def begin_reading(self) -> str:
        """The beginning of a consistent view."""
        return f"{self.begin_hot_reading}{_ANEW}"

    @property
    def begin_hot_reading(self) -> str:
        """The same for what is looked up by its key, many times a second."""
        settings = self._settings(word="SET LOCAL") if self.is_pooled else ""
        return f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;{settings}"

    @property
    def begin_session(self) -> str:
        """What a connection begins with. Behind a pooler nothing: who is served next may be somebody else."""
        return "" if self.is_pooled else self._settings(word="SET") + _KEPT

    def _settings(self, *, word: str) -> str:
        limits = {
            "statement_timeout": self.statement_timeout,
            "lock_timeout": LOCK_TIMEOUT,
            "idle_in_transaction_session_timeout": _IDLE_TIMEOUT,
        }
        settings = {name: str(int(seconds * MILLISECONDS)) for name, seconds in limits.items()} | _PLANS
        return "".join(f"{word} {name} = {value};" for name, value in settings.items())

    @property
    def connecting(self) -> dict[str, Any]:
        """What a connection is made with."""
        return {
            "dsn": self.url,
            "timeout": CONNECT_TIMEOUT,
            # the server gives up first; this is for the network that says nothing at all
            "command_timeout": self.statement_timeout + 5.0,
            "statement_cache_size": 0 if self.is_pooled else _STATEMENTS,
            "max_cached_statement_lifetime": 0,
            "server_settings": {"application_name": "opengage"},
        }
