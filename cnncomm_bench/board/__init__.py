"""What `leaderboard` is made of: an entry, how it is added, ranked, shown, and verified."""
