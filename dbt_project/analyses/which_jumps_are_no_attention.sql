-- Which jumps of an artist's counters are no attention, and why?
select
    artists.artist_name,
    anomalies.anomaly_date,
    anomalies.kind,
    anomalies.playcount_change,
    anomalies.evidence

from {{ ref('artist_anomalies') }} as anomalies

inner join {{ ref('dim_artists') }} as artists
    on anomalies.artist_id = artists.artist_id

order by anomalies.anomaly_date desc, artists.artist_id asc, anomalies.kind asc
