-- What the operators' page looks through: uploads by when they ended, deliveries that were given up, what runs.

CREATE INDEX uploads_ended ON uploads (tenant, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (sink) WHERE state = 'dead';
CREATE INDEX jobs_running ON jobs (kind) WHERE state = 'running';
