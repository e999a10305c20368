"""A report in the forms people and CI read: JUnit XML, and one HTML page."""
