"""What `score` is made of: intervals, thresholds, gains, information; arrays and predictions in, numbers out."""
