"""Usage records of GPU jobs, read from any CSV file by a mapping of its columns, priced as the lines of bills. Pure."""
