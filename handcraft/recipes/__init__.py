"""Recipes: known constructions under the field's names. A recipe returns plain rules; `explain` shows what it wrote."""
