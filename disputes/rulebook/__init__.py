"""Network rules as dated data, so that a case can name the edition it was handled under."""

from disputes.rulebook.case_terms import terms_for
from disputes.rulebook.payment_terms import authorization_terms, order_terms
from disputes.rulebook.rulebook import Rulebook, load
from disputes.rulebook.validity import Validity

__all__ = ["Rulebook", "Validity", "authorization_terms", "load", "order_terms", "terms_for"]
