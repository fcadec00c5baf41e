"""Every table there is: importing this module completes `Base.metadata` for migrations and tests."""

from __future__ import annotations

from portal import audit
from portal.access import models as access
from portal.accounts import models as accounts
from portal.borrowers import models as borrowers
from portal.contacts import models as contacts
from portal.db import Base
from portal.disputes import models as disputes
from portal.documents import models as documents
from portal.fakes import models as fakes
from portal.gateways import sms
from portal.hardship import models as hardship
from portal.intake import models as intake
from portal.messages import models as messages
from portal.notices import alarms, faces, texts
from portal.notices import models as notices
from portal.outgoing import models as outgoing
from portal.papers import faces as paper_faces
from portal.payments import models as payments
from portal.plans import models as plans
from portal.reviews import models as reviews
from portal.statements import faces as statement_faces
from portal.visits import models as visits

MODULES = (
    access,
    accounts,
    alarms,
    audit,
    borrowers,
    contacts,
    disputes,
    documents,
    faces,
    fakes,
    hardship,
    intake,
    messages,
    notices,
    outgoing,
    paper_faces,
    payments,
    plans,
    reviews,
    sms,
    statement_faces,
    texts,
    visits,
)

metadata = Base.metadata
