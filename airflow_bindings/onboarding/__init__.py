"""A team in Airflow's database: its row, its pool, its connections; and how none of that outlives it as everybody's."""
