"""Papers as PDF: tagged, with their fonts in them, and the same bytes whenever they are made again."""

from portal.papers.rendering import MAKER as MAKER
from portal.papers.rendering import NotDrawn as NotDrawn
from portal.papers.rendering import render as render
