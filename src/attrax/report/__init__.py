"""Tables, figures and pages from records."""

from attrax.report._html import write_page as write_page
from attrax.report._plots import recall_strip as recall_strip
from attrax.report._plots import recovery_bars as recovery_bars
from attrax.report._plots import spectrum_histogram as spectrum_histogram
from attrax.report._text import describe_corruption as describe_corruption
from attrax.report._text import table as table
from attrax.report._text import training_saw as training_saw
from attrax.report._text import wilson_interval as wilson_interval
