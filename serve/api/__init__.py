"""The routes under /api/v1: one blueprint a subject, thin.

A route parses (pydantic models, closed lists, bounded numbers, unknown parameters
refused), calls one function of ``serve.queries`` or ``serve.accounts``, and answers.
"""
