"""Pages about many experiments."""

from ._page_records import PageCell as PageCell
from ._page_records import PagePart as PagePart
from ._page_records import PageSection as PageSection
from ._page_records import PageTable as PageTable
from ._reproduction import PAGE_FORMATS as PAGE_FORMATS
from ._reproduction import write_reproduction as write_reproduction
