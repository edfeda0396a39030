import sys

from labkit.server.main import main

sys.exit(main())
