"""What is remembered: tables, queries per noun, migrations, behind one contract."""
