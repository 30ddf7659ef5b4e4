"""Pages about many experiments."""

from attrax.paper.pages._page_records import PageCell as PageCell
from attrax.paper.pages._page_records import PagePart as PagePart
from attrax.paper.pages._page_records import PageSection as PageSection
from attrax.paper.pages._page_records import PageTable as PageTable
from attrax.paper.pages._reproduction import PAGE_FORMATS as PAGE_FORMATS
from attrax.paper.pages._reproduction import write_reproduction as write_reproduction
