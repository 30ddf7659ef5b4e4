"""What every part of attrax stands on: types, checks, statuses, precision, files, rounding."""
