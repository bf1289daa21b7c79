from django.db import migrations, models

# One change is let through: an operator's own words about somebody who is forgotten give way to
# the word that says so. Who did what to what, and when, stays as it was written.
_BUT_FOR_REASONS = """
CREATE OR REPLACE FUNCTION notifications_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.reason = 'forgotten' AND to_jsonb(NEW) - 'reason' = to_jsonb(OLD) - 'reason' THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON notifications_auditentry
FOR EACH STATEMENT EXECUTE FUNCTION notifications_append_only();
"""
_AS_IT_WAS = """
DROP TRIGGER never_emptied ON notifications_auditentry;
CREATE OR REPLACE FUNCTION notifications_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0014_audit_and_permissions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["door", "id"], name="audit_by_door"),
        ),
        migrations.RunSQL(_BUT_FOR_REASONS, _AS_IT_WAS),
    ]
