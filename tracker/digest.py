"""Digest: the mail that tells each development once, and never claims more than was looked at.

in   what no digest of that name has told: stories with an item on a topic, rungs of watches that are new; the health of the sources
out  a row in ``digests`` with what it tells, then the mail: prepared → sending → sent, each step a transaction
refuses to know models and sources. Surprising: completeness comes from the ledger, not from the period, so a month of silence loses
nothing; when nothing answered, no digest is written at all, and the next one says when that was.

==================  ==================================================================================================
fails before        the next run sends that very mail: stored text, same Message-ID, after 15 min doubling to a day
killed while sent   it stays ``sending`` and is sent once more under the same Message-ID: never lost, one known repeat
not yet sent        for a week no newer digest of that name is written: what comes on top waits, and is told in one
==================  ==================================================================================================
"""

from __future__ import annotations

import hashlib
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tracker import notifiers
from tracker.clock import iso, parse
from tracker.config import Config
from tracker.letter import Caps, Letter, Matter, Move, Story, letter
from tracker.notifiers import Mail, MailError, Outcome
from tracker.store import digests, transaction, watches
from tracker.store.digests import Sign, Told
from tracker.types import DigestPlan, Watch
from tracker.watch import RUNGS, board, rung_of
