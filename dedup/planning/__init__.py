"""What a run over a corpus would take, on how many machines it is given, before anyone rents them."""

from dedup.planning.plan import Machines, Plan, StagePlan, plan_run
from dedup.planning.rates import Rates, kept_rates, save_rates, shipped_rates

__all__ = [
    "Machines",
    "Plan",
    "Rates",
    "StagePlan",
    "kept_rates",
    "plan_run",
    "save_rates",
    "shipped_rates",
]
