"""What we tell people, in their language, and whether it arrived: the outbox."""
