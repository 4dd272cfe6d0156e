"""The citizen's webmail: conversations, writing, attachments made safe, prescriptions to pharmacies."""
