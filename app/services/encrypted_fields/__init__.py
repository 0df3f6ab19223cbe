"""Personal and bank data encrypted field by field: the keys, the columns, and exchanging the keys."""
