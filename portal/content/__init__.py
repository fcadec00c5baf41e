"""What a text says - links, numbers, accounts, amounts - and how far it is the text that was sent."""
