"""Memories in files."""

from attrax.files._memory_file import MemoryFileError as MemoryFileError
from attrax.files._memory_file import digest as digest
from attrax.files._memory_file import load as load
from attrax.files._memory_file import save as save
from attrax.files._memory_file import with_patterns as with_patterns
