"""Language models behind one seam: see `base`. Neither the server nor a socket is known here."""
