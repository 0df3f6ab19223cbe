"""What rules would have granted for a file of bills: pure, in memory, nothing stored."""
