"""AWS on this machine: the moto server, and what moto lacks or gets wrong, a service a file."""
