"""Memories in files."""

from ._digest import digest as digest
from ._foreign import MissingMap as MissingMap
from ._memory_file import MemoryFileError as MemoryFileError
from ._memory_file import checksum as checksum
from ._memory_file import load as load
from ._memory_file import save as save
from ._memory_file import with_patterns as with_patterns
