"""What we install of others': `make audit`, `make sbom`, `make licences`."""
