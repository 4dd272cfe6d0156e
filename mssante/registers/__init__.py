"""The reference registers: their extraction files, their FHIR server, their nomenclatures."""
