"""What `report` is made of: the chart's data, tables, the gallery and its captions."""
