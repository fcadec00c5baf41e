"""The repayment portal: what is true lives in the feature folders, who is asking in portal/web."""
