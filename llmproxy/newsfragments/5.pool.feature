`DATABASE_POOL_SIZE` bounds the connections that a worker opens to PostgreSQL or MySQL.
