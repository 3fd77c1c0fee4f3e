"""Network rules as dated data, so that a case can name the edition it was handled under."""

from disputes.rulebook.case_terms import terms_for
from disputes.rulebook.rulebook import Rulebook, load

__all__ = ["Rulebook", "load", "terms_for"]
